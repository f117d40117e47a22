#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lkroute::fuzzing::saved_plans(data));
