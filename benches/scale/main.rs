//! lkroute beside the floors, in one run: how long PostgreSQL's own tools
//! take for the same rows on the same machine, and how many times that
//! lkroute takes.
//!
//! `cargo bench --bench scale` measures 10,000 and 100,000 bindings;
//! `cargo bench --bench scale -- 1000000` the size to design for. It needs
//! PostgreSQL's server programs, as the tests do.

mod cluster;
mod measure;
mod report;
mod tree;

use std::fs;
use std::path::Path;

use cluster::Cluster;
use measure::{InProcess, Run, lkroute, side_by_side};
use report::Report;
use tree::{Number, Tree};

const SIZES: [u64; 2] = [10_000, 100_000];

fn main() {
    let named: Vec<u64> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let sizes = if named.is_empty() {
        SIZES.to_vec()
    } else {
        named
    };
    let cluster = Cluster::start();
    for size in sizes {
        print!("{}", bench(&cluster, size));
    }
}

/// One size, from the generated files to the last look-up.
fn bench(cluster: &Cluster, size: u64) -> Report {
    let mut report = Report::new(size);
    let dir = tempfile::tempdir().expect("a directory");
    let tree = Tree::write(dir.path(), size);
    let url = cluster.database("bench");
    let run = |args: &[&str]| lkroute(dir.path(), &url, args);

    report.ours("load and validate the files", run(&["validate", "-q"]));
    let one = Tree::one_file(&dir.path().join("one"), size.min(100_000));
    let label = format!("the same in one file of {}", size.min(100_000));
    report.ours(&label, run(&["--routing", &one, "validate", "-q"]));

    cluster.numbers_table(&url);
    run(&["migrate", "-q"]);
    report.ours("plan of the initial load", run(&["plan", "-q"]));
    let creates = run(&["apply", "--auto-approve", "-q"]);
    cluster.psql(&url, "VACUUM ANALYZE");
    let rows = dir.path().join("rows.copy");
    let ids = dir.path().join("ids.copy");
    cluster.copy_out(&url, cluster::WITHOUT_ID, &rows);
    cluster.copy_out(&url, cluster::WITH_ID, &ids);
    let default_ids = cluster.copy_in(cluster::WITHOUT_ID, &rows);
    let own_ids = cluster.copy_in(cluster::WITH_ID, &ids);
    report.floor("psql COPY in, default ids", default_ids);
    report.floor("psql COPY in, ids made before", own_ids);
    report.against("apply of the initial load", creates, default_ids, 0.65);
    report.against("the same", creates, own_ids, 1.1);
    report.note("bookkeeping of that apply", &cluster.bookkeeping(&url));

    let out = cluster.time_copy_out(&url);
    report.floor("psql COPY out of the same rows", out);
    report.against("plan, nothing changed", run(&["plan", "-q"]), out, 1.5);
    tree.change_one_percent();
    let plan = run(&["plan", "-q"]);
    report.against("plan, 1 % changed", plan, out, 1.5);
    let update = cluster.update_by_hand(&url, tree.changed());
    report.floor("the hand-written UPDATE of 1 %", update);
    let apply = run(&["apply", "--auto-approve", "-q"]);
    let target = plan.plus(update, 1.3);
    report.against(
        "apply of 1 %, against plan + 1.3 UPDATEs",
        apply,
        target,
        1.0,
    );

    run(&["migrate", "--index", "-q"]);
    resolve(cluster, &url, dir.path(), &tree.sample(), &mut report);
    let _ = fs::remove_dir_all(dir.path());
    report
}

/// One look-up: beside the same query from PostgreSQL's own tools, and beside
/// the least that one could ask for.
fn resolve(cluster: &Cluster, url: &str, dir: &Path, number: &Number, report: &mut Report) {
    let mut in_process = InProcess::open(url, number);
    in_process.resolve();
    let query = cluster.last_query(url);
    let (floor, ours) = side_by_side(
        5,
        || cluster.pgbench(url, "simple", &query),
        || in_process.resolve(),
    );
    drop(in_process);
    report.floor("pgbench of the resolver's query", floor);
    report.against("resolve in process", ours, floor, 1.2);
    let join = Cluster::join(number);
    for (protocol, what) in [("simple", ""), ("prepared", ", prepared")] {
        let least = cluster.pgbench(url, protocol, &join);
        let what = format!("pgbench of a join by tenant and number{what}");
        report.floor(&what, least);
        report.beside("resolve in process over that", ours, least);
    }
    let args = [
        "resolve",
        "--from",
        &number.e164,
        "--tenant",
        &number.tenant,
    ];
    let (psql, command) = side_by_side(
        31,
        || cluster.psql_running(url, &query),
        || measure::wall(&mut measure::command(dir, url, &args)),
    );
    report.floor("psql running the resolver's query", psql);
    report.against("the command resolve", command, psql, 1.2);
}

impl Run {
    /// This and a multiple of another, as a target.
    fn plus(self, other: Run, times: f64) -> Run {
        Run {
            seconds: self.seconds + other.seconds * times,
            peak: 0,
        }
    }
}
