//! Guards, tried by somebody who wants past them.

mod enforced;
mod stored;
mod undone;
mod window;

use crate::cli::run;
use crate::support::Lkroute;

/// The sample with more numbers of sasya on the VM, applied. `guards` are
/// lines of `routing/guards.toml`.
fn applied(numbers: usize, guards: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("USER", "asha").env("HOSTNAME", "desk");
    if numbers > 0 {
        let all: Vec<String> = (0..numbers)
            .map(|n| format!("\"+9715000000{n:02}\""))
            .collect();
        let group = format!(
            "[[bindings]]\nnumbers = [{}]\ntenant = \"sasya\"\n",
            all.join(", ")
        );
        lkroute.write("routing/more.toml", &group);
    }
    if !guards.is_empty() {
        lkroute.write("routing/guards.toml", guards);
    }
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

/// The codes of what the guards refuse.
fn refusals(lkroute: &Lkroute) -> Vec<String> {
    let plan = run(lkroute, "plan --format json").json();
    let refusals = plan["refusals"].as_array().expect("a list").iter();
    refusals
        .map(|finding| finding["code"].as_str().unwrap_or_default().to_owned())
        .collect()
}
