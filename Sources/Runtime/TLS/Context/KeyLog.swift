import COpenSSL
import Glibc

/// The file of the secrets of connections, in the form of NSS (SSLKEYLOGFILE).
final class KeyLog: Sendable {
    private let descriptor: Int32

    /// Nil without a path.
    init?(_ path: String?) throws(TLSError) {
        guard let path else { return nil }
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .configuration(
                "cannot write the key log \(path)", cause: String(cString: strerror(errno)))
        }
    }

    deinit { close(descriptor) }

    func install(on context: OpaquePointer) {
        SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_keylog_callback(context) { ssl, line in
            guard let ssl, let line, let data = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0) else {
                return
            }
            Unmanaged<KeyLog>.fromOpaque(data).takeUnretainedValue().append(line)
        }
    }

    /// One write per line: lines of several connections do not mix.
    private func append(_ line: UnsafePointer<CChar>) {
        var bytes = Array(UnsafeRawBufferPointer(start: line, count: strlen(line)))
        bytes.append(0x0A)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
