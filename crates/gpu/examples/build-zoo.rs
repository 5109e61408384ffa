//! Makes the captures in `zoo/` from `descriptions/`: `cargo run -p oriel-gpu --example build-zoo`.

#[path = "../tests/support/zoo/mod.rs"]
mod zoo;

use oriel_gpu::capture;
use std::{fs, io};

fn main() -> io::Result<()> {
    for name in zoo::names() {
        let mut file = Vec::new();
        capture::pack(&zoo::build(&name), &mut file)?;
        println!("{name}: {} bytes", file.len());
        fs::write(zoo::folder("zoo").join(format!("{name}.tar.gz")), file)?;
    }
    Ok(())
}
