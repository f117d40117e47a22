//! Who applies, and who calls. Imports nothing of lkroute.

use std::process::Command;
use std::{fs, io};

use super::process_variable;

/// What pipelines call the one who started them.
const PIPELINES: [&str; 5] = [
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOR",
];

/// Who runs this process.
pub fn current_actor() -> String {
    actor(process_variable)
}

/// The user of the pipeline, else `user@host`.
fn actor(get: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
    if let Some(user) = PIPELINES.iter().find_map(|name| set(name)) {
        return user;
    }
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| set(name));
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    let host = set("HOSTNAME")
        .or_else(|| set("COMPUTERNAME"))
        .or_else(host);
    match host {
        Some(host) => format!("{user}@{host}"),
        None => user,
    }
}

/// Linux tells it in a file, which is read in no time; a process takes
/// milliseconds of every call that is placed.
fn host() -> Option<String> {
    let told = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| {
        let asked = Command::new("uname").arg("-n").output()?;
        String::from_utf8(asked.stdout).map_err(io::Error::other)
    });
    Some(told.ok()?.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_names_its_user_before_the_machine_does() {
        let vars = |pipeline: bool| {
            actor(move |name| match name {
                "USER" => Some("root".into()),
                "HOSTNAME" => Some("desk".into()),
                "GITHUB_ACTOR" if pipeline => Some("asha".into()),
                _ => None,
            })
        };
        assert_eq!(
            (vars(true), vars(false)),
            ("asha".into(), "root@desk".into())
        );
    }
}
