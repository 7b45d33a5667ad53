/// What a reader that decodes at once finds first; messages are valid until the next event.
@usableFromInline
enum NextMessage {
    case message(UnsafeRawBufferPointer)
    case end, nothing
    /// To be asked of `receive`: not on the loop, or not to be taken as it came.
    case elsewhere
}
