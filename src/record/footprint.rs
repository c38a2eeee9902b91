//! What contenders are before and beside their load, where an experiment asked.

use serde::{Deserialize, Serialize};

/// The footprint of one contender. Its sizes are parts: none contains another, but the image contains them all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Footprint {
    /// `payment`, `loyalty` or `http`
    pub workload: String,
    /// Its name in the scenario.
    pub contender: String,
    /// From the program's start to its first answer, ns, with files in the page cache.
    pub start_ns: Option<OverStarts>,
    /// Resident memory half a second after the first answer, bytes; of several processes the sum.
    pub rss_idle_bytes: Option<OverStarts>,
    /// The most resident memory in a trial, bytes: the median of the valid trials at `load`; `null` without them.
    pub rss_load_bytes: Option<f64>,
    /// The level of those trials.
    pub load: Option<String>,
    /// What is deployed.
    pub payload: FileSet,
    /// The program that runs the payload; nothing where the payload is the program.
    pub runtime: FileSet,
    /// The shared libraries and the loader that the program is linked with; `null` where they are not known.
    pub base: Option<FileSet>,
    /// The smallest image with all of these; `null` where the base is not known.
    pub image: Option<Image>,
    /// What the payload is.
    pub note: String,
    /// Starts, counted from 1, that it lost: it did not start, answer or end. The figures over starts are of the others;
    /// left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_starts: Vec<u32>,
    /// Why it lost the first of them, with what it wrote last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lost_reason: String,
}

/// A figure over several starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OverStarts {
    /// Starts, without lost ones.
    pub n: u32,
    /// The middle one.
    pub median: f64,
    /// Lower limit of the median, lost starts among them; `null` when n is too small for an interval, or where they leave none.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
    /// Each of them, in the order of the starts, lost ones left out.
    pub values: Vec<f64>,
}

/// Some of the files that a contender consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileSet {
    /// How many.
    pub files: u64,
    /// Their lengths together.
    pub bytes: u64,
}

/// A minimal image, of layers in the format of tar. It is counted and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// Its layers as archives, before they were compressed.
    pub raw_bytes: u64,
    /// The same by gzip.
    pub compressed_bytes: u64,
    /// How many layers: base, runtime and payload, as far as there are any.
    pub layers: u32,
}
