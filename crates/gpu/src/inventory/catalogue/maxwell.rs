//! Tesla M60, M10 and M6: 8 GiB a GPU; a board has two, four and one of them. CUDA and several a desktop only with -8Q.

use super::{APPS, Card, FIVE, SMALL, Type, of};

pub(super) const CARDS: &[Card] = &[
    Card { devices: &[0x13f2], name: "M60", types: &M60, ..MAXWELL },
    Card { devices: &[0x13bd], name: "M10", types: &M10, ..MAXWELL },
    Card { devices: &[0x13f3], name: "M6", types: &M6, ..MAXWELL },
];

const MAXWELL: Card =
    Card { devices: &[], subsystems: &[], name: "", memory_mib: 8192, most: 16, sriov: false, types: &[], mixed: &[] };

const M60: [Type; 14] = types([22, 20, 18, 15, 12, 17, 210, 14, 238, 11, 21, 19, 16, 13]);
const M10: [Type; 14] = types([45, 43, 41, 39, 36, 155, 208, 38, 240, 35, 44, 42, 40, 37]);
const M6: [Type; 14] = types([34, 32, 30, 27, 24, 29, 209, 26, 239, 23, 33, 31, 28, 25]);

/// The three differ in NVIDIA's numbers only. -2B4 and -1B4 are deprecated for -2B and -1B.
const fn types(numbers: [u16; 14]) -> [Type; 14] {
    let [q8, q4, q2, q1, q0, b2, b2_4, b1, b1_4, b0, a8, a4, a2, a1] = numbers;
    [
        of("8Q", q8, 4, FIVE),
        of("4Q", q4, 4, FIVE),
        of("2Q", q2, 4, FIVE),
        of("1Q", q1, 4, FIVE),
        of("0Q", q0, 2, SMALL),
        of("2B", b2, 4, FIVE),
        of("2B4", b2_4, 4, FIVE),
        of("1B", b1, 4, FIVE),
        of("1B4", b1_4, 4, FIVE),
        of("0B", b0, 2, SMALL),
        of("8A", a8, 1, APPS),
        of("4A", a4, 1, APPS),
        of("2A", a2, 1, APPS),
        of("1A", a1, 1, APPS),
    ]
}
