//! Whether bytes are a whole JPEG.

/// Smaller than any picture of a camera; an error page or a placeholder may be so small.
const LEAST: usize = 128;
/// Start of image, and the first byte of the marker that follows.
const START: [u8; 3] = [0xff, 0xd8, 0xff];
/// End of image.
const END: [u8; 2] = [0xff, 0xd9];

/// Returns the length of the JPEG without the zeros that file systems and cameras leave behind its end; `None` if the
/// end is not there yet, or it is no JPEG.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    let picture = &bytes[..end];
    (end >= LEAST && picture.starts_with(&START) && picture.ends_with(&END)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        [&START[..], &[7; 200], &END].concat()
    }

    #[test]
    fn whole_pictures_are_taken_without_the_zeros_behind_them() {
        let whole = jpeg();
        assert_eq!(length(&whole), Some(205));
        assert_eq!(length(&[&whole[..], &[0; 4096]].concat()), Some(205));
    }

    #[test]
    fn every_part_of_a_picture_is_not_whole() {
        let whole = jpeg();
        for end in 0..whole.len() {
            assert_eq!(length(&whole[..end]), None, "{end} bytes");
        }
        assert_eq!(length(b"GIF89a"), None);
        assert_eq!(length(&[0; 4096]), None, "a file whose blocks are not written yet");
        assert_eq!(length(&[&START[..], &END].concat()), None, "no picture fits into five bytes");
    }
}
