//! XKB layout names and the Windows layout identifiers that RDP speaks (MS-RDPBCGR 2.2.1.3.2 keyboardLayout).

/// Layouts by XKB name; a variant is written in brackets. The identifiers are Windows' own (KLIDs).
const LAYOUTS: &[(&str, u32)] = &[
    ("us", 0x0000_0409),
    ("us(intl)", 0x0002_0409),
    ("us(altgr-intl)", 0x0002_0409),
    ("us(dvorak)", 0x0001_0409),
    ("us(dvp)", 0x1936_0409),
    ("gb", 0x0000_0809),
    ("ie", 0x0000_1809),
    ("ca", 0x0000_1009),
    ("ca(fr)", 0x0000_0c0c),
    ("ca(multix)", 0x0001_1009),
    ("de", 0x0000_0407),
    ("at", 0x0000_0407),
    ("ch", 0x0000_0807),
    ("ch(de)", 0x0000_0807),
    ("ch(fr)", 0x0000_100c),
    ("fr", 0x0000_040c),
    ("fr(bepo)", 0x0000_040c),
    // xrdp 0.9 knows Belgian only by this one of Windows' two identifiers.
    ("be", 0x0000_0813),
    ("nl", 0x0000_0413),
    ("lu", 0x0000_046e),
    ("es", 0x0000_040a),
    ("latam", 0x0000_080a),
    ("pt", 0x0000_0816),
    ("br", 0x0000_0416),
    ("it", 0x0000_0410),
    ("dk", 0x0000_0406),
    ("no", 0x0000_0414),
    ("se", 0x0000_041d),
    ("fi", 0x0000_040b),
    ("is", 0x0000_040f),
    ("ee", 0x0000_0425),
    ("lv", 0x0000_0426),
    ("lt", 0x0001_0427),
    ("pl", 0x0000_0415),
    ("cz", 0x0000_0405),
    ("sk", 0x0000_041b),
    ("hu", 0x0000_040e),
    ("ro", 0x0001_0418),
    ("bg", 0x0003_0402),
    ("si", 0x0000_0424),
    ("hr", 0x0000_041a),
    ("rs", 0x0000_0c1a),
    ("gr", 0x0000_0408),
    ("tr", 0x0000_041f),
    ("tr(f)", 0x0001_041f),
    ("ru", 0x0000_0419),
    ("ua", 0x0002_0422),
    ("il", 0x0000_040d),
    ("ara", 0x0000_0401),
    ("jp", 0x0000_0411),
    ("kr", 0x0000_0412),
    ("cn", 0x0000_0804),
    ("tw", 0x0000_0404),
    ("in", 0x0000_4009),
];

/// The Windows layout identifier for an XKB name such as `de` or `us(intl)`. An unknown variant falls back to its
/// layout, an unknown layout to `us`; both are logged.
pub fn windows_layout(xkb: &str) -> u32 {
    const US: u32 = 0x0000_0409;
    let name = xkb.trim().to_ascii_lowercase();
    let find = |name: &str| LAYOUTS.iter().find(|(xkb, _)| *xkb == name).map(|(_, id)| *id);
    if name.is_empty() {
        return US;
    }
    find(&name)
        .or_else(|| {
            let base = name.split('(').next().unwrap_or_default();
            let id = find(base)?;
            tracing::info!(layout = %name, instead = %base, "Keyboard variant is not known to RDP");
            Some(id)
        })
        .unwrap_or_else(|| {
            tracing::info!(layout = %name, "Keyboard layout is not known to RDP, using us");
            US
        })
}

#[cfg(test)]
mod tests {
    use super::windows_layout;

    #[test]
    fn names_variants_and_unknowns() {
        assert_eq!(windows_layout("de"), 0x407);
        assert_eq!(windows_layout("us(intl)"), 0x2_0409);
        assert_eq!(windows_layout("de(nodeadkeys)"), 0x407);
        assert_eq!(windows_layout(" GB "), 0x809);
        assert_eq!(windows_layout("klingon"), 0x409);
        assert_eq!(windows_layout(""), 0x409);
    }
}
