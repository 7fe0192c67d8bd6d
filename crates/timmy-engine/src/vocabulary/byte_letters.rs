//! The letters that stand for bytes in vocabularies of the GPT-2 family: printable bytes for themselves, the others
//! for letters from U+0100 on.

/// The byte a letter stands for.
fn byte(letter: char) -> Option<u8> {
    let number = u32::from(letter);
    match number {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(number).ok(),
        0x100..=0x120 => u8::try_from(number - 0x100).ok(),
        0x121..=0x142 => u8::try_from(number - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The bytes a token stands for; letters that stand for no byte stand for themselves.
pub(super) fn bytes(token: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for letter in token.chars() {
        match byte(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_exactly_one_letter() {
        let mut seen: Vec<u8> = (0..0x200).filter_map(char::from_u32).filter_map(byte).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..=255).collect::<Vec<u8>>());
        assert_eq!(bytes("Ġhello"), b" hello");
        assert_eq!(bytes("ĊÃ¤"), "\nä".as_bytes());
    }
}
