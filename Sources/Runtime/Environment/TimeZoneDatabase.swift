import Glibc
import Synchronization

/// The zones of the machine, read once each.
public final class TimeZoneDatabase: Sendable {
    /// The package `tzdata`.
    public static let system = TimeZoneDatabase(folder: "/usr/share/zoneinfo")

    /// The largest file that is read; the real ones have less than 4 KB.
    static let sizeLimit = 65_536

    private let folder: String
    private let known = Mutex<[String: TimeZone]>([:])

    public init(folder: String) { self.folder = folder }

    /// Nil when there is no such zone. Reads a small file the first time.
    public func zone(_ name: String) -> TimeZone? {
        guard Self.isName(name) else { return nil }
        if let zone = known.withLock({ $0[name] }) { return zone }
        guard let bytes = Self.read("\(folder)/\(name)"),
            let zone = TimeZoneFile.read(bytes, name: name)
        else { return nil }
        known.withLock { $0[name] = zone }
        return zone
    }

    /// `Area/Place`: nothing that leads out of the folder.
    static func isName(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return name.utf8.count <= 64
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { byte in
                        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                            || (0x30...0x39).contains(byte) || "_+-".utf8.contains(byte)
                    }
            }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: sizeLimit)
        var count = 0
        while count < bytes.count {
            let got = bytes[count...].withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return nil }
            if got == 0 { return Array(bytes[..<count]) }
            count += got
        }
        return nil
    }
}
