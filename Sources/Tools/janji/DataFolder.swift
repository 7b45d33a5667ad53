import Crypto
import Environment
import Glibc

/// The folder that `janji up` keeps its things in: database cluster, secrets, logs.
struct DataFolder: Sendable {
    let path: String

    /// Creates the folder, readable by its owner only at the level of each secret.
    /// - Throws: ``ConfigurationError`` naming the system's reason.
    init(_ path: String) throws(ConfigurationError) {
        self.path = path.hasPrefix("/") ? path : "\(Self.currentFolder)/\(path)"
        try Self.makeFolder(self.path)
    }

    private static var currentFolder: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return "." }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func makeFolder(_ path: String, mode: mode_t = 0o755) throws(ConfigurationError) {
        var built = ""
        for part in path.split(separator: "/") {
            built += "/\(part)"
            if mkdir(built, mode) != 0, errno != EEXIST {
                throw ConfigurationError(
                    "cannot create the folder \(built): \(String(cString: strerror(errno)))")
            }
        }
    }

    /// A secret of ours: made at the first use, then read from its file (mode 0600).
    func secret(_ name: String, bytes: Int) throws(ConfigurationError) -> String {
        let file = "\(path)/\(name)"
        if let text = Self.read(file), !text.isEmpty { return text }
        let text = Base64.encode(SystemRandom.bytes(bytes), variant: .url)
        try Self.write(text, to: file)
        return text
    }

    /// The secret when it was made before.
    func existingSecret(_ name: String) -> String? { Self.read("\(path)/\(name)") }

    static func read(_ file: String) -> String? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        while let last = bytes.last, last == 10 || last == 32 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to file: String) throws(ConfigurationError) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ConfigurationError(
                "cannot write \(file): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8) + [10]
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw ConfigurationError(
                "cannot write \(file): \(String(cString: strerror(errno)))")
        }
    }
}
