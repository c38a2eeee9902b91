//! Prepared statements and portals: things with a name, and one without.

use std::collections::HashMap;

use super::messages::Formats;
use super::value::{Arguments, PARAMETERS_MAX};
use crate::standin::postgres::SqlError;
use crate::standin::postgres::known::Query;

/// A statement with the types of its parameters.
#[derive(Clone, Debug)]
pub(super) struct PreparedStatement {
    pub(super) query: Query,
    pub(super) types: [u32; PARAMETERS_MAX],
}

/// A statement with its parameters, ready to be executed once.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub(super) query: Query,
    pub(super) arguments: Arguments,
    pub(super) formats: Formats,
    /// Whether it has given its rows.
    pub(super) done: bool,
}

/// Things of one kind by their names. The one without a name is kept apart: it is the one that is used the most.
#[derive(Debug)]
pub(super) struct Named<T> {
    unnamed: Option<T>,
    named: HashMap<Box<str>, T>,
    max: usize,
}

impl<T> Named<T> {
    /// At most `max` of them have names.
    pub(super) fn new(max: usize) -> Self {
        Self { unnamed: None, named: HashMap::new(), max }
    }

    /// Takes a thing. An unnamed one replaces the one before.
    ///
    /// # Errors
    /// `taken` when the name is in use, 54000 when there are too many.
    pub(super) fn insert(
        &mut self,
        name: &str,
        thing: T,
        taken: &'static str,
    ) -> Result<(), SqlError> {
        if name.is_empty() {
            self.unnamed = Some(thing);
        } else if self.named.contains_key(name) {
            return Err(SqlError::new(taken, format!("\"{name}\" already exists")));
        } else if self.named.len() >= self.max {
            let max = self.max;
            return Err(SqlError::new(
                "54000",
                format!("\"{name}\" is one too many: {max} are kept"),
            ));
        } else {
            self.named.insert(name.into(), thing);
        }
        Ok(())
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&mut T> {
        match name {
            "" => self.unnamed.as_mut(),
            _ => self.named.get_mut(name),
        }
    }

    /// Forgets one; gives whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        match name {
            "" => self.unnamed.take().is_some(),
            _ => self.named.remove(name).is_some(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        if !self.named.is_empty() {
            self.named.clear();
        }
    }
}
