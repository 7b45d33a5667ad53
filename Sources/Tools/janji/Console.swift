import Glibc

/// Lines for the person at the terminal; logs go elsewhere.
enum Console {
    static func line(_ text: String) { put(text + "\n", to: STDOUT_FILENO) }

    static func error(_ text: String) { put("janji: \(text)\n", to: STDERR_FILENO) }

    private static func put(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
