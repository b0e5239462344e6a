//! Lines of the control socket, from both sides, as a target of the fuzzer: see [`crate::fuzzing`].

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::BufReader;
use zmes_shared::control::codec::{self, CodecError};
use zmes_shared::control::{ClientFrame, Hello, MAX_REQUEST, ServerFrame, WatchEvent};

/// Smallest and largest buffer of the stream, in bytes: a line may arrive in any pieces.
const BUFFERS: (usize, usize) = (1, 64);

/// The first byte is the size of the pieces in which the lines after it arrive.
pub(crate) fn lines(bytes: &[u8]) {
    let Some((pieces, stream)) = bytes.split_first() else { return };
    let capacity = usize::from(*pieces).clamp(BUFFERS.0, BUFFERS.1);
    let mut reader = BufReader::with_capacity(capacity, stream);
    let mut line = Vec::new();
    let mut read = 0;
    loop {
        let result = codec::read_line(&mut reader, &mut line, MAX_REQUEST).now_or_never();
        assert!(result.is_some(), "the codec waits for a stream that has ended");
        match result {
            Some(Ok(true)) => {}
            Some(Err(CodecError::TooLong { .. })) => {
                assert!(stream.len() > MAX_REQUEST, "a short stream has a long line");
                return;
            }
            _ => break,
        }
        assert!(line.len() <= MAX_REQUEST && !line.contains(&b'\n'));
        read += line.len() + 1;
        one(&line);
    }
    assert!(read >= stream.len(), "{read} of {} bytes were read", stream.len());
}

fn one(line: &[u8]) {
    if let Some((_, written)) = understood::<ClientFrame>(line) {
        let twice =
            serde_json::from_str::<ClientFrame>(&written).and_then(|again| serde_json::to_string(&again));
        assert_eq!(twice.unwrap_or_default(), written);
    }
    understood::<ServerFrame>(line);
    understood::<Hello>(line);
    understood::<WatchEvent>(line);
}

/// Parses a line as a `T` and writes it again: the result must parse, too.
fn understood<T: Serialize + DeserializeOwned>(line: &[u8]) -> Option<(T, String)> {
    let frame: T = serde_json::from_slice(line).ok()?;
    let written = serde_json::to_string(&frame).unwrap_or_default();
    assert!(serde_json::from_str::<T>(&written).is_ok(), "not understood when written: {written}");
    Some((frame, written))
}
