//! How frames between hosts carry what serde does not: bytes as base64, histograms as HdrHistogram V2, and shared
//! values as their own.

/// Base64.
pub(crate) mod bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Nothing is lost: bounds, digits and counts.
pub(crate) mod times {
    use hdrhistogram::serialization::{
        Deserializer as Decoder, Serializer as _, V2DeflateSerializer,
    };
    use hdrhistogram::{Counter, Histogram};
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserializer, Serializer};

    use super::bytes;

    pub(crate) fn serialize<T: Counter, S: Serializer>(
        times: &Histogram<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut encoded = Vec::new();
        V2DeflateSerializer::new()
            .serialize(times, &mut encoded)
            .map_err(|error| S::Error::custom(format!("{error:?}")))?;
        bytes::serialize(&encoded, to)
    }

    pub(crate) fn deserialize<'de, T: Counter, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Histogram<T>, D::Error> {
        let encoded = bytes::deserialize(from)?;
        Decoder::new().deserialize(&mut encoded.as_slice()).map_err(D::Error::custom)
    }
}

/// An `Arc` is a value of its own on the other side.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize + ?Sized, S: Serializer>(
        shared: &Arc<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        T::serialize(shared, to)
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Arc<T>, D::Error>
    where
        T: ?Sized,
        Box<T>: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Box::<T>::deserialize(from).map(Arc::from)
    }
}
