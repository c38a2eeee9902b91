//! A chart as PNG: no browser, no font of the machine.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Group, Node, Options, Tree};

use super::canvas::STYLE;
use super::text::{FAMILY, FILES, is_drawn, latin};
use crate::files::PNG_MARK;
use crate::report::charts::canvas::Size;
use crate::text::xml;

/// Device pixels of a CSS pixel: a picture stays sharp on a dense screen.
const SCALE: f64 = 2.0;

/// The PNG of a chart's `svg`, twice its size. A character that the charts' font lacks is shown in letters that it has.
///
/// # Errors
/// Where the document cannot be read, or a text of it would be left out.
pub fn png(svg: &str, size: Size) -> Result<Vec<u8>, String> {
    let svg = drawable(svg);
    let options =
        Options { fontdb: Arc::clone(&FONTS), font_family: FAMILY.into(), ..Options::default() };
    let tree = Tree::from_str(&svg, &options).map_err(|error| error.to_string())?;
    let (wanted, drawn) = (svg.matches("<text").count(), texts(tree.root()));
    if wanted != drawn {
        return Err(format!("only {drawn} of {wanted} texts of the chart would be drawn"));
    }
    let (wide, tall) = (size.width() * SCALE, size.height() * SCALE);
    let mut pixels = Pixmap::new(wide as u32, tall as u32).ok_or("a picture has an area")?;
    let scale = Transform::from_scale(SCALE as f32, SCALE as f32);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().map(marked).map_err(|error| error.to_string())
}

/// `png` with the mark by which bakeoff knows it again, behind its header.
fn marked(mut png: Vec<u8>) -> Vec<u8> {
    let chunk = [b"tEXt", PNG_MARK].concat();
    let mut check = flate2::Crc::new();
    check.update(&chunk);
    let length = (PNG_MARK.len() as u32).to_be_bytes();
    let whole = [&length[..], &chunk, &check.sum().to_be_bytes()].concat();
    png.splice(HEADER_BYTES..HEADER_BYTES, whole);
    png
}

/// A PNG's signature and its first chunk.
const HEADER_BYTES: usize = 33;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    FILES.iter().for_each(|file| fonts.load_font_data(file.to_vec()));
    Arc::new(fonts)
});

/// `svg` without its embedded fonts, which the renderer does not read, and with other letters for what the font lacks.
fn drawable(svg: &str) -> String {
    let (head, body) = svg.split_once("</style>").unwrap_or(("", svg));
    let start = head.find("<style>").unwrap_or(head.len());
    let mut drawn = String::with_capacity(body.len());
    for c in body.chars() {
        match c == '\n' || is_drawn(c.encode_utf8(&mut [0; 4])) {
            true => drawn.push(c),
            false => drawn.push_str(&xml(latin(c))),
        }
    }
    let family = format!("<style>text{{font-family:'{FAMILY}'}}{STYLE}</style>");
    format!("{}{family}{drawn}", &head[..start])
}

/// Texts of which every glyph has an outline.
fn texts(group: &Group) -> usize {
    let of = |node: &Node| match node {
        Node::Group(group) => texts(group),
        Node::Text(text) => {
            let glyphs = || text.layouted().iter().flat_map(|span| &span.positioned_glyphs);
            usize::from(glyphs().next().is_some() && glyphs().all(|glyph| glyph.id.0 != 0))
        }
        _ => 0,
    };
    group.children().iter().map(of).sum()
}
