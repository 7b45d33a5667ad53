import Loop

/// The texts of a call's request messages, one after the other.
struct RequestReader: Sendable {
    private enum Splitter {
        case json(JSONSplitter)
        case text(TextSplitter)

        mutating func feed(_ bytes: some Sequence<UInt8>) {
            switch self {
            case .json(var splitter):
                splitter.feed(bytes)
                self = .json(splitter)
            case .text(var splitter):
                splitter.feed(bytes)
                self = .text(splitter)
            }
        }

        mutating func next(isLast: Bool) -> [UInt8]? {
            switch self {
            case .json(var splitter):
                defer { self = .json(splitter) }
                return isLast ? splitter.rest() : splitter.next()
            case .text(var splitter):
                defer { self = .text(splitter) }
                return isLast ? splitter.rest() : splitter.next()
            }
        }
    }

    private var splitter: Splitter
    private var input: InputFile?
    private let loop: EventLoop

    /// - Throws: `Failure` when the file cannot be opened.
    init(
        _ source: RequestSource, format: Settings.Format, standardInput: Int32, loop: EventLoop
    ) throws(Failure) {
        self.loop = loop
        splitter = format == .json ? .json(JSONSplitter()) : .text(TextSplitter())
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
            if let text = splitter.next(isLast: false) { return text }
            guard let input else { return splitter.next(isLast: true) }
            let bytes = try await input.read(on: loop)
            if bytes.isEmpty {
                self.input = nil
            } else {
                splitter.feed(bytes)
            }
        }
    }
}
