//! Any bytes, in any pieces, are what a PostgreSQL server may say: an answer, an error, or not enough.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    bakeoff::backend::read_postgres(bytes, usize::from(piece) + 1);
});
