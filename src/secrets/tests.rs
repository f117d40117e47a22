//! The room as a whole: the vectors of `docs/secrets.md`, round trips, and
//! what each kind of failure is called.

use proptest::prelude::*;

use super::*;

const DOCS: &str = include_str!("../../docs/secrets.md");

const KEY: &str = "kb2843125:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "other:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const FERNET_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const PLAIN: &str = "made-up-livekit-secret";
const NONCE: [u8; 12] = [
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,
];
/// The vectors were made with Python's `cryptography`, not with this code.
const AES: &str =
    "lkr1:kb2843125:a8799afa:oKGio6Slpqeoqaqri3kYSGi-cpIODPG2bBO08wPJOmL3w_0OYG-qAjs_GLrSipQGrqI";
const FERNET: &str = "dev-s-t-gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD0vOhBmS0vTJw5Oru9H9DT9v4QkIuk6TefC_G70wJg4QHwQ2N3Y3jVmEnQhA3J4r-1wiLBtPxlw5Pcct6FQCFkY=";
const FINGERPRINT: &str =
    "kb2843125:701e048af14e12a41379fbccbe65f8cbac1b08d4de3274073e010591eff7fcca";

fn uae() -> Uuid {
    Uuid::from_u128(0xe3ca4a84_4cc3_4be5_8240_34366fe4d0c5)
}

fn india() -> Uuid {
    Uuid::from_u128(0xcf7a1d26_04aa_4623_8d4e_f4b079cdec6f)
}

fn ring(text: &str) -> KeyRing {
    let ring = KeyRing::parse(text).unwrap();
    ring.with_fernet(FERNET_KEY).unwrap()
}

fn both() -> KeyRing {
    ring(&format!("{KEY},{OTHER}"))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

fn sealed(text: &str) -> Sealed {
    Sealed::parse(text).unwrap()
}

fn why(ring: &KeyRing, config_id: Uuid, text: &str) -> OpenError {
    let opened = open_stored(ring, config_id, &Stored::read(text.into()));
    opened.err().expect("an error")
}

#[test]
fn the_documented_vectors_hold() {
    let ring = both();
    let made = aes::seal(ring.key(None).unwrap(), uae(), &secret(PLAIN), &NONCE).unwrap();
    assert_eq!(made.as_str(), AES);
    for text in [AES, FERNET] {
        let opened = open(&ring, uae(), &sealed(text)).unwrap();
        assert_eq!(opened.expose(), PLAIN);
    }
    let print = fingerprint(&ring, None, uae(), &secret(PLAIN)).unwrap();
    assert_eq!(print.to_column(), FINGERPRINT);
    for text in [
        KEY,
        FERNET_KEY,
        PLAIN,
        AES,
        FERNET,
        FINGERPRINT,
        &hex::encode(NONCE),
        &uae().to_string(),
    ] {
        assert!(DOCS.contains(text), "docs/secrets.md lacks {text}");
    }
}

#[test]
fn a_missing_a_wrong_and_a_damaged_thing_are_told_apart() {
    let other_bytes = OTHER.split_once(':').unwrap().1;
    let altered = AES.replace("oKGi", "oKGj");
    let key_id = String::from("kb2843125");

    let no_key = why(&ring(OTHER), uae(), AES);
    assert_eq!(no_key, NoKey::Named(key_id.clone()).into());
    let no_fernet = why(&KeyRing::parse(KEY).unwrap(), uae(), FERNET);
    assert_eq!(no_fernet, NoKey::Fernet.into());
    assert_eq!(why(&both(), india(), AES), OpenError::WrongConfig);
    assert_eq!(why(&both(), uae(), &altered), OpenError::Altered { key_id });
    assert_eq!(
        why(&both(), uae(), &AES[..40]),
        SealedError::TooShort.into()
    );

    let by_other = seal(
        &both(),
        uae(),
        &secret(PLAIN),
        SecretFormat::Aes256Gcm,
        Some("other"),
    );
    let by_other = by_other.unwrap().as_str().to_owned();
    let swapped = ring(&format!("other:{},spare:{other_bytes}", &KEY[10..]));
    assert_eq!(
        why(&swapped, uae(), &by_other),
        OpenError::WrongKey {
            key_id: "other".into(),
            opened_by: "spare".into(),
        }
    );
    let replaced = ring(&format!("other:{}", &KEY[10..]));
    assert_eq!(
        why(&replaced, uae(), &by_other),
        OpenError::WrongKeyOrDamaged {
            key_id: Some("other".into())
        }
    );
    let other_fernet = KeyRing::default().with_fernet(&KEY[10..]).unwrap();
    assert_eq!(
        why(&other_fernet, uae(), FERNET),
        OpenError::WrongKeyOrDamaged { key_id: None }
    );
}

#[test]
fn no_failure_shows_key_value_or_secret() {
    let altered = AES.replace("oKGi", "oKGj");
    for text in [&altered, &AES[..40], &AES[..60], "dev-s-t-made-up"] {
        let error = why(&both(), uae(), text);
        assert!(matches!(
            error,
            OpenError::Malformed(_) | OpenError::Altered { .. } | OpenError::NotText
        ));
        let shown = format!("{error} {error:?}");
        for hidden in ["oKG", "AAEC", "made-up"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}

#[test]
fn no_byte_of_a_sealed_value_can_be_changed() {
    let ring = both();
    for (text, prefix) in [(AES, "lkr1:"), (FERNET, "dev-s-t-")] {
        for at in 0..text.len() {
            for byte in (0..128u8).filter(|&byte| byte != text.as_bytes()[at]) {
                let mut changed = text.to_owned().into_bytes();
                changed[at] = byte;
                let stored = Stored::read(String::from_utf8(changed).unwrap());
                match &stored {
                    Stored::Plain(_) => assert!(at < prefix.len()),
                    _ => assert!(open_stored(&ring, uae(), &stored).is_err(), "byte {at}"),
                }
            }
        }
    }
}

#[test]
fn the_clock_does_not_matter_to_a_fernet_value() {
    let ring = both();
    let token = ring
        .fernet()
        .unwrap()
        .encrypt_at_time(PLAIN.as_bytes(), u64::MAX / 2);
    let opened = open(&ring, uae(), &sealed(&format!("dev-s-t-{token}\n"))).unwrap();
    assert_eq!(opened.expose(), PLAIN);
}

#[test]
fn plain_text_in_a_database_is_the_secret_itself() {
    let stored = Stored::read(PLAIN.into());
    let opened = open_stored(&KeyRing::default(), uae(), &stored).unwrap();
    assert!(opened.same(&secret(PLAIN)));
}

#[test]
fn sealing_refuses_what_it_cannot_do() {
    let seal = |ring: &KeyRing, text: &str, format, key_id| {
        seal(ring, uae(), &secret(text), format, key_id).unwrap_err()
    };
    let empty = KeyRing::default();
    for (format, error) in [
        (SecretFormat::Aes256Gcm, NoKey::Ring),
        (SecretFormat::Fernet, NoKey::Fernet),
    ] {
        assert_eq!(seal(&empty, PLAIN, format, None), error.into());
        assert_eq!(seal(&both(), "", format, None), SealError::Empty);
    }
    assert_eq!(
        seal(&both(), PLAIN, SecretFormat::Aes256Gcm, Some("gone")),
        NoKey::Named("gone".into()).into()
    );
}

#[test]
fn a_fingerprint_tells_change_config_and_key_apart() {
    let ring = both();
    let print = Fingerprint::parse(FINGERPRINT).unwrap();
    assert_eq!(print.key_id(), "kb2843125");
    assert_eq!(print.matches(&ring, uae(), &secret(PLAIN)), Ok(true));
    assert_eq!(print.matches(&ring, uae(), &secret("changed")), Ok(false));
    assert_eq!(print.matches(&ring, india(), &secret(PLAIN)), Ok(false));
    let missing = KeyRing::parse(OTHER).unwrap();
    assert_eq!(
        print.matches(&missing, uae(), &secret(PLAIN)),
        Err(NoKey::Named("kb2843125".into()))
    );
    assert_eq!(format!("{print:?}"), "Fingerprint(kb2843125, …)");
    let by_other = fingerprint(&ring, Some("other"), uae(), &secret(PLAIN)).unwrap();
    assert!(by_other != print);
    for text in [
        "",
        "kb2843125",
        &FINGERPRINT[..73],
        &FINGERPRINT.to_uppercase(),
    ] {
        assert!(Fingerprint::parse(text).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn what_is_sealed_opens_for_its_config_and_no_other(
        text in "\\PC{1,80}",
        id in any::<u128>(),
        other in any::<u128>(),
        key_id in prop::option::of(prop::sample::select(vec!["kb2843125", "other"])),
    ) {
        prop_assume!(id != other);
        let (ring, id, other) = (both(), Uuid::from_u128(id), Uuid::from_u128(other));
        for format in [SecretFormat::Aes256Gcm, SecretFormat::Fernet] {
            let made = seal(&ring, id, &secret(&text), format, key_id).unwrap();
            let read = sealed(made.as_str());
            prop_assert_eq!(&read, &made);
            prop_assert_eq!(read.format(), format);
            prop_assert!(read.is_for(id));
            let opened = open(&ring, id, &read).unwrap();
            prop_assert_eq!(opened.expose(), &text);
            let again = seal(&ring, id, &secret(&text), format, key_id).unwrap();
            prop_assert_ne!(again.hash(), made.hash());
            if format == SecretFormat::Aes256Gcm {
                prop_assert_eq!(read.key_id(), Some(key_id.unwrap_or("kb2843125")));
                prop_assert!(open(&ring, other, &read).is_err());
            }
        }
    }
}
