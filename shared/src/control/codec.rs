//! Reads and writes lines of JSON on any byte stream, with the length limit enforced while reading.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// Why a line could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The stream failed.
    #[error("control stream")]
    Io(#[from] std::io::Error),
    /// The line is too long; the rest of the stream is unusable.
    #[error("line longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The line is not the JSON that was expected. The stream is still usable.
    #[error("not the expected JSON: {source}")]
    Json {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
        /// The line.
        line: Vec<u8>,
    },
}

/// Reads one line of at most `limit` bytes into `line` (which is cleared first; the newline is removed).
///
/// Returns `false` at the end of the stream. Not cancel-safe: a dropped call may have taken part of a line.
pub async fn read_line<R>(reader: &mut R, line: &mut Vec<u8>, limit: usize) -> Result<bool, CodecError>
where
    R: AsyncBufRead + Unpin,
{
    line.clear();
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let taken = end.unwrap_or(available.len());
        let chunk = available.get(..taken).unwrap_or_default();
        if line.len() + chunk.len() > limit {
            return Err(CodecError::TooLong { limit });
        }
        line.extend_from_slice(chunk);
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Reads one JSON value from one line; `None` at the end of the stream.
pub async fn read_frame<R, T>(reader: &mut R, limit: usize) -> Result<Option<T>, CodecError>
where
    R: AsyncBufRead + Unpin,
    T: DeserializeOwned,
{
    let mut line = Vec::new();
    if !read_line(reader, &mut line, limit).await? {
        return Ok(None);
    }
    match serde_json::from_slice(&line) {
        Ok(value) => Ok(Some(value)),
        Err(source) => Err(CodecError::Json { source, line }),
    }
}

/// Writes one value as one line and flushes it.
pub async fn write_frame<W, T>(writer: &mut W, value: &T) -> Result<(), CodecError>
where
    W: AsyncWrite + Unpin,
    T: Serialize + Sync,
{
    let mut line =
        serde_json::to_vec(value).map_err(|source| CodecError::Json { source, line: Vec::new() })?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_line_over_the_limit_is_refused_before_it_is_complete() {
        let mut reader = tokio::io::BufReader::new(&b"0123456789"[..]);
        let result = block_on(read_frame::<_, u64>(&mut reader, 9));
        assert!(matches!(result, Err(CodecError::TooLong { limit: 9 })), "{result:?}");
    }

    #[test]
    fn a_broken_line_leaves_the_next_one_readable() {
        let mut reader = tokio::io::BufReader::new(&b"{\n42\n"[..]);
        assert!(matches!(block_on(read_frame::<_, u64>(&mut reader, 99)), Err(CodecError::Json { .. })));
        assert_eq!(block_on(read_frame::<_, u64>(&mut reader, 99)).unwrap(), Some(42));
        assert_eq!(block_on(read_frame::<_, u64>(&mut reader, 99)).unwrap(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_whatever_the_buffer_size(text in ".{0,200}", buffer in 1_usize..64) {
            let mut bytes = Vec::new();
            block_on(write_frame(&mut bytes, &text)).unwrap();
            let mut reader = tokio::io::BufReader::with_capacity(buffer, &bytes[..]);
            prop_assert_eq!(block_on(read_frame::<_, String>(&mut reader, 4096)).unwrap(), Some(text));
        }
    }
}
