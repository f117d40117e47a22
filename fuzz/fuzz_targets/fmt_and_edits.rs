#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lkroute::fuzzing::fmt_and_edits(data));
