import COpenSSL
import Glibc

/// The BIO between OpenSSL and a `TLSSession`: it reads the bytes that `receive` was given where
/// they lie, and appends to the session's output. (OpenSSL's own memory BIO copies both ways and
/// keeps its largest size.)
enum MemoryBIO {
    private static let method: UnsafeSendablePointer = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "janji")
        BIO_meth_set_create(method) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        BIO_meth_set_read(method) { bio, target, count in
            guard let bio, let target, let session = MemoryBIO.session(of: bio) else { return -1 }
            let taken = session.takeInput(
                UnsafeMutableRawBufferPointer(start: target, count: Int(max(0, count))))
            janji_bio_set_starved(bio, taken == 0 ? 1 : 0)
            return taken == 0 ? -1 : Int32(taken)
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio, let session = MemoryBIO.session(of: bio) else { return -1 }
            session.appendOutput(UnsafeRawBufferPointer(start: bytes, count: Int(max(0, count))))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return UnsafeSendablePointer(raw: method)
    }()

    private struct UnsafeSendablePointer: @unchecked Sendable {  // made once, never changed
        let raw: OpaquePointer?
    }

    private static func session(of bio: OpaquePointer) -> TLSSession? {
        BIO_get_data(bio).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }

    /// - Parameter session: not retained; outlives the BIO.
    static func make(for session: TLSSession) -> OpaquePointer? {
        guard let bio = BIO_new(method.raw) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
        return bio
    }
}
