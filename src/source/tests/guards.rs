//! Guards.

use super::*;

#[test]
fn guards() {
    let text = r#"
[guards]
deletes = { max = 3, percent = 2.5, per_tenant = { max = 1 } }
protected = ["config.uae-*", "binding.+971545335200@*"]
[guards.policy]
plain_http = "deny"
hosts = { uae = ["*.uae.example"] }
workers = { "*" = ["voag-*"] }
require = ["trunk_id"]
[[guards.allow]]
guard = "budget-deletes"
addresses = ["binding.+971545335200@sasya"]
reason = "the number was returned to the carrier"
expires = "2026-08-01"
"#;
    let loaded = with_base(text);
    assert_eq!(loaded.findings, []);
    let guards = loaded.routing.guards;
    assert_eq!(guards.deletes.overall.percent, Some(2.5));
    assert_eq!(guards.deletes.per_tenant.max, Some(1));
    assert_eq!(guards.policy.require, [Field::TrunkId]);
    assert!(guards.policy.deny_plain_http);
    assert_eq!(guards.allow[0].place.line, 10);
    assert_codes(
        "[guards]\nprotected = [\"uae-*\"]",
        &["b.toml:2:14 bad-guard"],
    );
    assert_codes(
        "[guards.policy]\nplain_http = \"no\"",
        &["b.toml:2:14 bad-guard"],
    );
    assert_codes(
        "[guards.policy.hosts]\nuea = []",
        &["b.toml:2:1 unknown-region"],
    );
    assert_codes(
        "[guards.policy.workers]\nprod = []",
        &["b.toml:2:1 unknown-environment"],
    );
    assert_codes("[guards.updates]", &["b.toml:1:1 bad-guard"]);
    assert_codes(
        "[guards]\nupdates = { percent = 101 }",
        &["b.toml:2:23 bad-guard"],
    );
    assert_codes(
        "[[guards.allow]]\nguard = \"deletes\"\naddresses = [\"x\"]\nexpires = \"soon\"",
        &[
            "b.toml:1:1 missing-key",
            "b.toml:2:9 bad-guard",
            "b.toml:3:14 bad-guard",
            "b.toml:4:11 bad-guard",
        ],
    );
}
