//! From an error of the network to what a caller needs: the cause, and whether
//! the server may have carried the request out. Imports `reqwest`'s errors and
//! `rustls`'.

use std::error::Error;
use std::io;

use crate::dispatch::{Cause, Failure, RequestError, SideEffect};

/// No answer came, or none that could be read to its end.
pub(super) fn no_answer(error: &reqwest::Error) -> RequestError {
    let side_effect = if error.is_connect() || error.is_builder() {
        SideEffect::NotSent
    } else {
        SideEffect::Unclear
    };
    RequestError::new(of_request(error), side_effect)
}

/// Why a request brought no answer that could be read.
pub(super) fn of_request(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Cause::Timeout.into();
    }
    if error.is_decode() {
        return Cause::Unreadable.into();
    }
    let mut last = String::new();
    let mut link = error.source();
    while let Some(error) = link {
        if let Some(failure) = of_link(error) {
            return failure;
        }
        last = error.to_string();
        link = error.source();
    }
    let cause = if error.is_connect() {
        Cause::Refused
    } else {
        Cause::ConnectionLost
    };
    Failure::new(cause, &last)
}

fn of_link(error: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(tls));
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        let inner = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
        return inner.and_then(of_link).or_else(|| of_io(io));
    }
    let text = error.to_string();
    if text.starts_with("dns error") {
        Some(Cause::Dns.into())
    } else if text.starts_with("tunnel error") {
        Some(Failure::new(Cause::Proxy, &text))
    } else {
        None
    }
}

fn of_tls(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidMessage(_) => Failure::new(
            Cause::Tls,
            "that port does not speak TLS: is it http:// or ws://?",
        ),
        error => Failure::new(Cause::Tls, &error.to_string()),
    }
}

fn of_io(error: &io::Error) -> Option<Failure> {
    let cause = match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Cause::Refused,
        io::ErrorKind::TimedOut => Cause::Timeout,
        io::ErrorKind::UnexpectedEof if error.to_string().contains("tls") => Cause::Tls,
        _ => return None,
    };
    Some(Failure::new(cause, &error.to_string()))
}
