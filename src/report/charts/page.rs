//! Charts inside a page: drawn once, coloured by the page's theme.

use std::fmt::Write;

use super::canvas::STYLE;
use super::picture::{Picture, Shade};
use super::text::{STACK, faces};

/// Colours of a light and a dark drawing, each pair once.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    pairs: Vec<(String, String)>,
}

/// What a page that holds [`both`] needs besides its palette: the fonts, and how elements look.
pub(crate) fn page_style() -> String {
    format!("{}svg text{{font-family:{STACK}}}{STYLE}", faces())
}

/// `picture` as one document for both themes. The two drawings differ in colours alone, so the light one is taken and
/// each of its colours becomes a custom property of `palette`.
pub(crate) fn both(picture: &Picture<'_>, palette: &mut Palette) -> String {
    let (light, dark) = (picture.inline_svg(Shade::Light), picture.inline_svg(Shade::Dark));
    let mut darker = colours(&dark);
    let mut out = String::with_capacity(light.len());
    let mut rest = light.as_str();
    for (attribute, colour) in colours(&light) {
        let (_, dark) = darker.next().unwrap_or((attribute, colour));
        let written = format!("{attribute}=\"{colour}\"");
        let at = rest.find(&written).expect("it was found in this text");
        out.push_str(&rest[..at]);
        let _ = write!(out, "style=\"{attribute}:var(--c{})\"", palette.place(colour, dark));
        rest = &rest[at + written.len()..];
    }
    out.push_str(rest);
    out
}

/// `fill` or `stroke`, and the colour, of each element that has one.
fn colours(svg: &str) -> impl Iterator<Item = (&str, &str)> {
    svg.match_indices("=\"#").filter_map(|(at, _)| {
        let attribute = svg[..at].rsplit(' ').next()?;
        let colour = svg.get(at + 2..at + 9)?;
        let is_colour =
            svg[at + 9..].starts_with('"') && colour[1..].bytes().all(|b| b.is_ascii_hexdigit());
        (is_colour && matches!(attribute, "fill" | "stroke")).then_some((attribute, colour))
    })
}

impl Palette {
    fn place(&mut self, light: &str, dark: &str) -> usize {
        let same = |(l, d): &(String, String)| l == light && d == dark;
        self.pairs.iter().position(same).unwrap_or_else(|| {
            self.pairs.push((light.to_owned(), dark.to_owned()));
            self.pairs.len() - 1
        })
    }

    /// The custom properties of the light theme.
    pub(crate) fn light(&self) -> String {
        self.properties(|pair| &pair.0)
    }

    /// The custom properties of the dark theme.
    pub(crate) fn dark(&self) -> String {
        self.properties(|pair| &pair.1)
    }

    fn properties(&self, of: impl Fn(&(String, String)) -> &String) -> String {
        let each = self.pairs.iter().enumerate();
        each.map(|(place, pair)| format!("--c{place}:{};", of(pair))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pictures;
    use super::*;
    use crate::judge::mock;

    #[test]
    fn a_drawing_for_both_themes_has_no_colour_of_its_own() {
        let run = mock::everything();
        let mut palette = Palette::default();
        for picture in pictures(&run) {
            let svg = both(&picture, &mut palette);
            assert!(colours(&svg).next().is_none(), "{}", picture.stem);
            let dark = picture.inline_svg(Shade::Dark);
            let light = picture.inline_svg(Shade::Light);
            assert_eq!(colours(&dark).count(), colours(&light).count(), "{}", picture.stem);
        }
        assert!(palette.light().contains("#0072B2") && palette.dark().contains("#56B4E9"));
    }
}
