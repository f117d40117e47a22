#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lkroute::fuzzing::sealed_values(data));
