//! The size of a picture and what its marks tell.

/// The size of a picture. Type has the same size in px in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// 1200 x 675 px: posts and pages.
    #[default]
    Blog,
    /// 1200 x 630 px: the card that social networks show.
    Card,
    /// 760 x 640 px: shown 600 px wide, as READMEs are, its least text is still 9 px tall.
    Readme,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 3] = [Self::Blog, Self::Card, Self::Readme];

    /// Width in px.
    pub fn width(self) -> f64 {
        match self {
            Self::Blog | Self::Card => 1200.0,
            Self::Readme => 760.0,
        }
    }

    /// Height in px.
    pub fn height(self) -> f64 {
        match self {
            Self::Blog => 675.0,
            Self::Card => 630.0,
            Self::Readme => 640.0,
        }
    }

    /// As flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Card => "card",
            Self::Readme => "readme",
        }
    }
}

/// Units of the drawing in a px: plotters counts in whole numbers, so it draws on a larger canvas and the `viewBox`
/// scales that back.
pub(crate) const UNITS_PER_PX: i32 = 4;

/// What a browser shows of a place under the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    /// px
    pub(crate) at: (f64, f64),
    pub(crate) text: String,
}
