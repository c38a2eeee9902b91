//! Any text is a scenario or an error that can be shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = bakeoff::scenario::parse("fuzz.toml", text) {
        assert_eq!(error.exit_code(), 2, "{error}");
    }
});
