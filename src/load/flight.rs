//! What is under way, oldest first: who is the next to be given up.

use crate::units::Nanos;

const NONE: u32 = u32::MAX;

/// Connections in the order in which they started waiting for their peer. As all of them have the same timeout, only
/// the first can be the next to time out: a doubly linked list inside one array, with everything O(1).
#[derive(Debug)]
pub(crate) struct Flight {
    links: Vec<Link>,
    first: u32,
    last: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    since: Nanos,
    before: u32,
    after: u32,
    aboard: bool,
}

impl Flight {
    pub(crate) fn new(connections: usize) -> Self {
        let link = Link { since: Nanos(0), before: NONE, after: NONE, aboard: false };
        Self { links: vec![link; connections], first: NONE, last: NONE, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn oldest(&self) -> Option<(usize, Nanos)> {
        let link = self.links.get(self.first as usize)?;
        Some((self.first as usize, link.since))
    }

    /// `connection` starts to wait. `since` is never earlier than that of another.
    ///
    /// # Panics
    /// When it waits already.
    pub(crate) fn start(&mut self, connection: usize, since: Nanos) {
        assert!(!self.links[connection].aboard, "connection {connection} waits twice");
        let before = self.last;
        self.links[connection] = Link { since, before, after: NONE, aboard: true };
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = connection as u32,
            None => self.first = connection as u32,
        }
        self.last = connection as u32;
        self.len += 1;
    }

    /// `connection` waits no more; says whether it did.
    pub(crate) fn end(&mut self, connection: usize) -> bool {
        let Link { before, after, aboard, .. } = self.links[connection];
        if !aboard {
            return false;
        }
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match self.links.get_mut(after as usize) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
        self.links[connection].aboard = false;
        self.len -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue_that_can_be_left(steps in prop::collection::vec(0..6_usize, 0..200)) {
            let mut flight = Flight::new(6);
            let mut naive: Vec<(usize, Nanos)> = Vec::new();
            for (now, connection) in (0..).map(Nanos).zip(steps) {
                match naive.iter().position(|&(waiting, _)| waiting == connection) {
                    Some(at) => {
                        naive.remove(at);
                        prop_assert!(flight.end(connection));
                        prop_assert!(!flight.end(connection));
                    }
                    None => {
                        naive.push((connection, now));
                        flight.start(connection, now);
                    }
                }
                prop_assert_eq!(flight.oldest(), naive.first().copied());
                prop_assert_eq!(flight.len(), naive.len());
            }
        }
    }
}
