//! Who applies, and who calls, as records name them. Imports nothing.

/// What pipelines call the one who started them.
const PIPELINES: [&str; 5] = [
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOR",
];

/// The user of the pipeline, else `user@host`; `host` is asked where no
/// variable says it.
pub fn actor(
    get: impl Fn(&str) -> Option<String>,
    host: impl FnOnce() -> Option<String>,
) -> String {
    let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
    if let Some(user) = PIPELINES.iter().find_map(|name| set(name)) {
        return user;
    }
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| set(name));
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    let named = set("HOSTNAME").or_else(|| set("COMPUTERNAME"));
    match named.or_else(host) {
        Some(host) => format!("{user}@{host}"),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_names_its_user_before_the_machine_does() {
        let vars = |pipeline: bool| {
            let get = move |name: &str| match name {
                "USER" => Some("root".into()),
                "GITHUB_ACTOR" if pipeline => Some("asha".into()),
                _ => None,
            };
            actor(get, || Some("desk".to_owned()))
        };
        assert_eq!(
            (vars(true), vars(false)),
            ("asha".into(), "root@desk".into())
        );
    }
}
