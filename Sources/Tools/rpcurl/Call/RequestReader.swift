import Loop

/// The request messages of a call as JSON texts, one after the other.
struct RequestReader: Sendable {
    private var splitter = JSONSplitter()
    private var input: InputFile?
    private let loop: EventLoop

    /// - Throws: `Failure` when the file cannot be opened.
    init(_ source: RequestSource, standardInput: Int32, loop: EventLoop) throws(Failure) {
        self.loop = loop
        switch source {
        case .none: break
        case .text(let text): splitter.feed(text.utf8)
        case .file(let path): input = try InputFile(path: path)
        case .standardInput: input = InputFile(descriptor: standardInput)
        }
    }

    /// The next text; nil at the end. Cancelling the task ends the waiting for input.
    mutating func next() async throws -> [UInt8]? {
        while true {
            if let text = splitter.next() { return text }
            guard let input else { return splitter.rest() }
            let bytes = try await input.read(on: loop)
            if bytes.isEmpty {
                self.input = nil
            } else {
                splitter.feed(bytes)
            }
        }
    }
}
