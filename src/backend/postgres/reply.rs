//! What a database answers: at most one row, read into the services' own types.

use bytes::Bytes;
use postgres_protocol::message::backend::DataRowBody;

use super::super::memory::{Audit, Capture};
use super::super::remote::ClientError;
use crate::domain::dataset::{Account, Limits, Merchant, Tier, User};

/// The row of an answer, if it had one.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    row: Option<Bytes>,
}

impl Reply {
    pub(crate) fn of(row: &DataRowBody) -> Self {
        Self { row: Some(row.buffer_bytes().clone()) }
    }

    /// A row whose columns somebody else has taken apart.
    #[cfg(feature = "cross-check")]
    pub(crate) fn of_columns<'a>(columns: impl IntoIterator<Item = &'a [u8]>) -> Self {
        use bytes::BufMut as _;
        let mut row = bytes::BytesMut::new();
        for column in columns {
            row.put_i32(i32::try_from(column.len()).expect("a column is shorter than 2 GiB"));
            row.put_slice(column);
        }
        Self { row: Some(row.freeze()) }
    }

    pub(crate) fn user(&self) -> Result<Option<User>, ClientError> {
        self.read(|columns| {
            Some(User { blocked: columns.bool()?, opening_balance_minor: columns.int8()? })
        })
    }

    pub(crate) fn limits(&self) -> Result<Option<Limits>, ClientError> {
        self.read(|columns| Some(Limits { per_payment_minor: columns.int8()? }))
    }

    pub(crate) fn merchant(&self) -> Result<Option<Merchant>, ClientError> {
        self.read(|columns| {
            Some(Merchant { closed: columns.bool()?, fee_bps: columns.int4()?.into() })
        })
    }

    /// A loyalty account's row, and its points.
    pub(crate) fn account(&self) -> Result<Option<(Account, u64)>, ClientError> {
        self.read(|columns| {
            let tier = *Tier::ALL.get(usize::from(columns.int2()?))?;
            Some((Account { tier, cap_points: columns.int8()? }, columns.int8()?))
        })
    }

    pub(crate) fn capture(&self) -> Result<Capture, ClientError> {
        let capture = self.read(|columns| {
            let (outcome, fee_minor) = (columns.next()?, columns.int8()?);
            match outcome {
                b"captured" => Some(Capture::Done(fee_minor)),
                b"replayed" => Some(Capture::Replayed(fee_minor)),
                b"conflict" => Some(Capture::Conflict),
                b"insufficient_funds" => Some(Capture::InsufficientFunds),
                _ => None,
            }
        });
        capture?.ok_or_else(no_row)
    }

    pub(crate) fn bool(&self) -> Result<bool, ClientError> {
        self.read(|columns| columns.bool())?.ok_or_else(no_row)
    }

    pub(crate) fn audit(&self) -> Result<Audit, ClientError> {
        let audit = self.read(|columns| {
            Some(Audit {
                money_in_minor: columns.int8()?,
                money_out_minor: columns.int8()?,
                fees_minor: columns.int8()?,
                points_issued: columns.int8()?,
                points_held: columns.int8()?,
                payments: columns.int8()?,
                distributions: columns.int8()?,
                credits: columns.int8()?,
                webhooks: columns.int8()?,
            })
        });
        audit?.ok_or_else(no_row)
    }

    /// Nothing where there was no row; error where the row is not what was asked for.
    fn read<T>(
        &self,
        read: impl FnOnce(&mut Columns<'_>) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        let Some(row) = &self.row else { return Ok(None) };
        let value = read(&mut Columns(row));
        value
            .map(Some)
            .ok_or_else(|| ClientError::garbled("a row has other columns than were asked for"))
    }
}

fn no_row() -> ClientError {
    ClientError::garbled("an answer without the row that it must have")
}

/// The columns of a row that have not been read yet: each its length, then its bytes.
struct Columns<'a>(&'a [u8]);

impl<'a> Columns<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    fn bool(&mut self) -> Option<bool> {
        Some(self.next()? == [1])
    }

    fn int2(&mut self) -> Option<u16> {
        u16::try_from(i16::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }

    fn int4(&mut self) -> Option<u32> {
        u32::try_from(i32::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }

    fn int8(&mut self) -> Option<u64> {
        u64::try_from(i64::from_be_bytes(self.next()?.try_into().ok()?)).ok()
    }
}
