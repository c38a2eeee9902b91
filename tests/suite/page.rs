//! `index.html` in a browser without a network: it loads, asks nobody for anything, says nothing on the console, and
//! fits a phone. Skipped, loudly, where there is no chromium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The first of these on the PATH is taken.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .find(|file| file.is_file())
        .or_else(|| {
            crate::skipped("no chromium on the PATH; apt-get install chromium brings it");
            None
        })
}

/// A page with the charts of a race.
fn page(dir: &Path) -> PathBuf {
    let result = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/result.json");
    let done = Command::new(env!("CARGO_BIN_EXE_bakeoff"))
        .args(["report", result.to_str().unwrap(), "--out", dir.to_str().unwrap()])
        .output()
        .expect("the binary starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    dir.join("index.html")
}

/// Runs the browser headless on `page` with `flags`, no host resolvable. Gives stdout and stderr.
fn visit(browser: &Path, page: &Path, flags: &[&str]) -> (String, String) {
    let profile = TempDir::new().unwrap();
    let done = Command::new("timeout")
        .args(["--kill-after=5", "90"])
        .arg(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--v=0",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(flags)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    assert!(done.status.success(), "{browser:?}: {}", String::from_utf8_lossy(&done.stderr));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&done.stdout), text(&done.stderr))
}

#[test]
fn the_page_loads_without_a_network_and_says_nothing_on_the_console() {
    let Some(browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let (dom, log) = visit(&browser, &page(dir.path()), &["--dump-dom"]);
    assert!(dom.contains("data-ready=\"yes\""), "its script did not end");
    assert!(dom.contains("<svg") && dom.contains("id=\"finding\""));
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
}

/// A page around the page, which measures it at a phone's width: a window is never that narrow, a frame is.
fn measured_at(browser: &Path, page: &Path, width: u32) -> String {
    let probe = format!(
        "<!doctype html><iframe id=f src=\"{}\" style=\"width:{width}px;height:2000px;border:0\"></iframe>\
         <pre id=out></pre><script>f.onload = () => {{\
           const root = f.contentDocument.documentElement;\
           const out = [...f.contentDocument.querySelectorAll('main *')].filter(e =>\
             !e.closest('.wide,.chart,pre') && e.getBoundingClientRect().right > {width} + 0.5);\
           document.getElementById('out').textContent =\
             `width ${{root.scrollWidth}} over ${{out.map(e => e.tagName + '.' + e.className).join(',')}} end`;\
         }}</script>",
        page.file_name().unwrap().to_str().unwrap()
    );
    let file = page.with_file_name("probe.html");
    fs::write(&file, probe).unwrap();
    let flags = [
        "--dump-dom",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--virtual-time-budget=10000",
    ];
    let (dom, _) = visit(browser, &file, &flags);
    let found = dom.split("<pre id=\"out\">").nth(1).and_then(|rest| rest.split(" end<").next());
    found.unwrap_or_else(|| panic!("the probe did not end: {dom:.2000}")).to_owned()
}

#[test]
fn the_page_fits_a_phone() {
    let Some(browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let found = measured_at(&browser, &page(dir.path()), 390);
    assert_eq!(found, "width 390 over ");
}

#[test]
fn the_page_can_be_photographed() {
    let Some(browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let page = page(dir.path());
    let shot = dir.path().join("page.png");
    let flag = format!("--screenshot={}", shot.display());
    visit(&browser, &page, &[&flag, "--window-size=1280,2000"]);
    assert!(fs::metadata(&shot).unwrap().len() > 20_000, "an empty picture");
}
