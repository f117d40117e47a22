//! lkroute beside the floors, in one run: how long PostgreSQL's own tools
//! take for the same rows on the same machine, and how many times that
//! lkroute takes.
//!
//! `cargo bench --bench scale` measures 10,000 and 100,000 bindings;
//! `cargo bench --bench scale -- 1000000` the size to design for. It needs
//! PostgreSQL's server programs, as the tests do. Of several sizes it draws how
//! time grows into `benches/growth.svg`.

// The lints of Cargo.toml are for what ships.
#![allow(
    unreachable_pub,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod cluster;
mod growth;
mod measure;
mod report;
mod tree;

use std::path::Path;

use cluster::Cluster;
use growth::Growth;
use measure::{InProcess, Pair, Run, lkroute, side_by_side};
use report::Report;
use tree::Tree;

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
    let mut growth = Growth::default();
    for size in sizes {
        let report = bench(&cluster, size);
        growth.add(size, report.figures());
        print!("{report}");
    }
    if growth.is_known() {
        print!("{}", growth.table());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/growth.svg");
        std::fs::write(path, growth.picture()).expect("write the picture");
    }
}

/// One size, from the generated files to the last look-up.
fn bench(cluster: &Cluster, size: u64) -> Report {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bench = Bench {
        cluster,
        dir: dir.path(),
        url: cluster.database("bench"),
        tree: Tree::write(dir.path(), size),
        report: Report::new(size),
    };
    bench.load(size.min(100_000));
    bench.initial();
    bench.plans();
    bench.one_percent();
    bench.history();
    bench.run(&["migrate", "--index", "-q"]);
    bench.resolve();
    bench.report
}

/// How often what takes long is repeated.
const TIMES: usize = 3;

struct Bench<'a> {
    cluster: &'a Cluster,
    dir: &'a Path,
    url: String,
    tree: Tree,
    report: Report,
}

impl Bench<'_> {
    fn run(&self, args: &[&str]) -> Run {
        lkroute(self.dir, &self.url, args)
    }

    fn load(&mut self, in_one: u64) {
        let run = self.run(&["validate", "-q"]);
        self.report.ours("load and validate the files", run);
        let one = Tree::one_file(&self.dir.join("one"), in_one);
        let run = self.run(&["--routing", &one, "validate", "-q"]);
        let label = format!("the same in one file of {in_one}");
        self.report.ours(&label, run);
    }

    /// How many pairs of runs there are of what reads all rows: enough for a ratio
    /// that the next run finds again.
    fn pairs(&self) -> usize {
        if self.is_large() { 5 } else { 9 }
    }

    fn is_large(&self) -> bool {
        self.tree.size() >= 1_000_000
    }

    /// The multiple of COPY out to reach. What a process and a connection cost at
    /// their start counts for more where there is less, and is most of it in the end.
    fn reading_target(&self) -> Option<f64> {
        match self.tree.size() {
            1_000_000.. => Some(1.0),
            100_000.. => Some(1.05),
            _ => None,
        }
    }

    /// The first apply, in turn with COPY into a table with the same indexes.
    fn initial(&mut self) {
        let (rows, ids) = (self.dir.join("rows.copy"), self.dir.join("ids.copy"));
        let (mut defaults, mut given) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            self.url = self.cluster.database("bench");
            self.cluster.numbers_table(&self.url);
            self.run(&["migrate", "-q"]);
            let apply = self.run(&["apply", "--auto-approve", "-q"]);
            if !rows.exists() {
                let copy_out = |columns, file| self.cluster.copy_out(&self.url, columns, file);
                copy_out(cluster::WITHOUT_ID, &rows);
                copy_out(cluster::WITH_ID, &ids);
            }
            defaults.push((self.cluster.copy_in(cluster::WITHOUT_ID, &rows), apply));
            given.push((self.cluster.copy_in(cluster::WITH_ID, &ids), apply));
        }
        // What a load leaves to be done would be done beside what follows.
        self.cluster.psql(&self.url, "VACUUM ANALYZE");
        self.cluster.psql(&self.url, "CHECKPOINT");
        let [default, given] = [defaults, given].map(Pair::of);
        let empty = self.cluster.database("empty");
        lkroute(self.dir, &empty, &["migrate", "-q"]);
        let plan = lkroute(self.dir, &empty, &["plan", "-q"]);
        let large = self.is_large();
        let report = &mut self.report;
        report.ours("plan of the initial load", plan);
        report.floor("psql COPY in, default ids", default.floor);
        report.floor("psql COPY in, ids made before", given.floor);
        report.pair("apply of the initial load", &default, large.then_some(0.75));
        report.pair(
            "the same, over ids made before",
            &given,
            large.then_some(1.3),
        );
        let size = self.cluster.bookkeeping(&self.url);
        report.note("bookkeeping of that apply", &size);
    }

    /// A command in turn with COPY out of the same rows.
    fn beside_copy_out(&mut self, what: &str, args: &[&str]) {
        let imported = self.dir.join("imported");
        let pair = side_by_side(
            self.pairs(),
            || self.cluster.time_copy_out(&self.url),
            || {
                // What an import wrote before is not written over.
                let _ = std::fs::remove_dir_all(&imported);
                self.run(args)
            },
        );
        let target = self.reading_target();
        self.report
            .floor("psql COPY out of the same rows", pair.floor);
        self.report.pair(what, &pair, target);
    }

    /// What reads all rows, beside COPY out of them.
    fn plans(&mut self) {
        self.tree.move_one_percent("alpha");
        self.beside_copy_out("plan, nothing changed", &["plan", "-q"]);
        self.tree.move_one_percent("gamma");
        self.beside_copy_out("plan, 1 % changed", &["plan", "-q"]);
        let (plan, reroutes) = measure::reroutes(&self.dir.join("routing"), &self.url);
        let report = &mut self.report;
        report.ours("that plan in process", plan);
        report.against("of that, who is rerouted", reroutes, plan, Some(0.2));
    }

    /// The apply of a change to a hundredth, there and back, and each time the plan
    /// before it.
    fn one_percent(&mut self) {
        let update = self
            .cluster
            .update_by_hand(&self.url, self.tree.changed(), self.pairs());
        let (mut plans, mut applies) = (Vec::new(), Vec::new());
        for config in ["gamma", "alpha"].into_iter().cycle().take(self.pairs()) {
            self.tree.move_one_percent(config);
            let plan = self.run(&["plan", "-q"]);
            let apply = self.run(&["apply", "--auto-approve", "-q"]);
            plans.push(plan);
            applies.push((plan.plus(update, 1.3), apply));
        }
        // Of a few hundred rows the rest of a transaction is most of it.
        let target = self.is_large().then_some(1.0);
        let report = &mut self.report;
        report.floor("the hand-written UPDATE of 1 %", update);
        report.ours("the plan before it", measure::middle(plans));
        let what = "apply of 1 %, over plan + 1.3 UPDATEs";
        report.pair(what, &Pair::of(applies), target);
    }

    /// What reads or brings back what applies have left.
    fn history(&mut self) {
        self.beside_copy_out("drift", &["drift", "-q"]);
        self.beside_copy_out("import", &["import", "--out", "imported", "-q"]);
        let back = ["rollback", "--to", "1", "--auto-approve", "-q"];
        let rollback = self.run(&back);
        self.report.ours("rollback to the first apply", rollback);
    }

    /// One look-up: beside the same query from PostgreSQL's own tools, and beside
    /// the least that one could ask for.
    fn resolve(&mut self) {
        let (cluster, url, report) = (self.cluster, &self.url, &mut self.report);
        let number = &self.tree.sample();
        let mut in_process = InProcess::open(url, number);
        in_process.resolve();
        let query = cluster.last_query(url);
        let pair = side_by_side(
            5,
            || cluster.pgbench(url, "simple", &query),
            || in_process.resolve(),
        );
        drop(in_process);
        report.floor("pgbench of the resolver's query", pair.floor);
        report.pair("resolve in process", &pair, Some(1.2));
        let join = Cluster::join(number);
        for (protocol, what) in [("simple", ""), ("prepared", ", prepared")] {
            let least = cluster.pgbench(url, protocol, &join);
            let what = format!("pgbench of a join by tenant and number{what}");
            report.floor(&what, least);
            report.against("resolve in process over that", pair.ours, least, None);
        }
        let args = [
            "resolve",
            "--from",
            &number.e164,
            "--tenant",
            &number.tenant,
        ];
        let pair = side_by_side(
            31,
            || cluster.psql_running(url, &query),
            || measure::wall(&mut measure::command(self.dir, url, &args)),
        );
        report.floor("psql running the resolver's query", pair.floor);
        report.pair("the command resolve", &pair, Some(1.2));
    }
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
