#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lkroute::fuzzing::copy_reader(data));
