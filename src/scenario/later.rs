//! What the file format will have and this version has not: said as such, and never as an unknown key.

/// Keys and values by their dotted path. The second part says what will use it.
const LATER: &[(&str, &str)] = &[
    ("load.ramp", "other load profiles"),
    ("load.trace", "other load profiles"),
    ("load.open.profile", "other load profiles"),
    ("arrivals=ramp", "other load profiles"),
    ("arrivals=bursts", "other load profiles"),
    ("arrivals=trace", "other load profiles"),
];

/// What a key at `path` will be for, if it is a later version's.
pub(super) fn key(path: &[String]) -> Option<&'static str> {
    LATER.iter().find(|(known, _)| known.split('.').eq(path)).map(|(_, purpose)| *purpose)
}

/// What the value `word` of `key` will be for, if it is a later version's.
pub(super) fn word(key: &str, word: &str) -> Option<&'static str> {
    let is = |pattern: &str| pattern.split_once('=').is_some_and(|known| known == (key, word));
    LATER.iter().find(|(pattern, _)| is(pattern)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_is_matched_whole() {
        assert!(key(&path("load.ramp")).is_some());
        assert!(key(&path("load.open.profile")).is_some());
        assert!(key(&path("load.open")).is_none());
        assert!(key(&path("load.open.profile.more")).is_none());
        assert!(key(&[]).is_none());
        assert!(word("arrivals", "bursts").is_some());
        assert!(word("metric", "p99").is_none());
    }
}
