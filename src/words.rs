//! Enums whose values are written as words, in scenarios, flags and stored files: one list gives all spellings.

/// Declares an enum with a word for each variant. From the list come `ALL`, `name`, `Display`, `FromStr` and
/// `Deserialize`, and in tests the JSON Schema, of which the doc comments are the descriptions. The first literal is the
/// noun of the message about an unknown word.
macro_rules! words {
    ($noun:literal $(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$of:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        $vis enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)+
        }

        #[allow(dead_code, reason = "not every enum is listed, or read from a flag")]
        impl $name {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.into_iter().find(|one| one.name() == text);
                found.ok_or_else(|| {
                    let known = Self::ALL.map(Self::name).join(", ");
                    format!("there is no {} `{text}`; there are {known}", $noun)
                })
            }
        }
    };
}
pub(crate) use words;
