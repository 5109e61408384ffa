//! The console and the viewer are built by npm into `web/dist`; without them a small page says how to build them, so that
//! the program compiles from a fresh checkout.

use std::{fs, io, path::Path};

const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Oriel</title>\n<h1>The console is not built in</h1>\n\
<p>This program was compiled without its pages. <code>./run</code> builds both; by hand: <code>npm ci &amp;&amp; npm run build</code> in \
<code>web/</code>, then compile again.</p>\n<p>The API works: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>\n</html>\n";

fn main() -> io::Result<()> {
    let dist = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(&dist)?;
        fs::write(index, PAGE)?;
    }
    Ok(())
}
