//! Mode `shared`: the host keeps the GPU and renders for machines with a virtio-gpu.

use super::{Shared, reader::Seen};

pub(crate) fn read(gpu: &Seen) -> Shared {
    let node = gpu.nodes.iter().find(|name| name.starts_with("renderD"));
    // The proprietary driver renders too, but not through Mesa.
    if let Some(node) = node.filter(|_| gpu.driver.as_deref() != Some("nvidia")) {
        return Shared { available: true, reasons: Vec::new(), render_node: Some(format!("/dev/dri/{node}")) };
    }
    let reason = match gpu.driver.as_deref() {
        _ if gpu.is_made_up() => "it renders nothing: its driver only makes slices".to_owned(),
        None => "no driver of the host holds it, and rendering is done by the host's driver".to_owned(),
        Some(driver) if driver.starts_with("vfio") || driver == "pci-stub" => {
            format!("`{driver}` holds it for machines; the host's own driver must have it back first")
        }
        Some("nvidia") => {
            "NVIDIA's own driver has it, and virgl draws through Mesa, which does not reach that driver: sharing takes a card of Intel or AMD, or \
             nouveau"
                .to_owned()
        }
        Some("gim") => "AMD's host driver `gim` only makes virtual functions and renders nothing itself".to_owned(),
        Some(driver) => format!("its driver `{driver}` makes no render node (/dev/dri/renderD…): it draws, but does not render"),
    };
    Shared { available: false, reasons: vec![reason], render_node: None }
}
