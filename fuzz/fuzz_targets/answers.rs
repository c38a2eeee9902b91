//! Any bytes, in any pieces, are answers or a fault; the same bytes are the same answers however they are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (bool, u8, &[u8])| {
    let (head_request, piece, bytes) = input;
    bakeoff::load::harness::read_answers(bytes, usize::from(piece) + 1, head_request);
});
