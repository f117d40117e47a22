//! The seeds of the fuzz targets, and what fuzzing found, as a test.

use std::fs;
use std::path::Path;

use lkroute::fuzzing;

#[test]
fn every_seed_holds() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 7] = [
        ("toml_reader", fuzzing::toml_reader),
        ("fmt_and_edits", fuzzing::fmt_and_edits),
        ("sealed_values", fuzzing::sealed_values),
        ("saved_plans", fuzzing::saved_plans),
        ("copy_reader", fuzzing::copy_reader),
        ("numbers", fuzzing::numbers),
        ("rules", fuzzing::rules),
    ];
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, target) in targets {
        let target_file = fuzz.join(format!("fuzz_targets/{name}.rs"));
        assert!(target_file.is_file(), "no target {name}");
        let seeds = fs::read_dir(fuzz.join("seeds").join(name)).expect("seeds");
        let mut count = 0;
        for seed in seeds {
            let bytes = fs::read(seed.expect("a seed").path()).expect("its bytes");
            target(&bytes);
            // Each of them cut short, too.
            for end in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
                target(&bytes[..end]);
            }
            count += 1;
        }
        assert!(count > 2, "{count} seeds for {name}");
        // What long runs kept.
        for kept in fs::read_dir(fuzz.join("kept").join(name)).expect("kept inputs") {
            target(&fs::read(kept.expect("an input").path()).expect("its bytes"));
        }
    }
}
