//! Makes the captures in `zoo/` from `descriptions/`: `cargo run -p oriel-gpu --example build-zoo`.

#[path = "../tests/support/zoo/mod.rs"]
mod zoo;

use flate2::{Compression, GzBuilder};
use std::{
    fs,
    io::{self, Write},
};

fn main() -> io::Result<()> {
    let folder = zoo::folder("zoo");
    for name in zoo::names() {
        let archive = zoo::pack(&zoo::build(&name));
        let mut file = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        file.write_all(&archive)?;
        let file = file.finish()?;
        println!("{name}: {} bytes, {} packed", archive.len(), file.len());
        fs::write(folder.join(format!("{name}.tar.gz")), file)?;
    }
    Ok(())
}
