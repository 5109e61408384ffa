//! Display controllers that a server's management chip or a hypervisor puts there for the console: they accelerate nothing.

/// By class and ids, four hexadecimal digits each. A lab counts other controllers of these makers as GPUs: those are none.
pub(crate) fn console_chip(class: &str, vendor_id: &str, device_id: &str) -> bool {
    class.starts_with("03")
        && matches!(
            (vendor_id, device_id),
            // ASPEED; Matrox G200 of servers; XGI; Hisilicon; virtio, QXL.
            ("1a03" | "18ca", _)
                | ("102b", "0522" | "0524" | "0530" | "0532" | "0533" | "0534" | "0536" | "0538")
                | ("19e5", "1711")
                | ("1af4" | "1b36", _)
        )
}
