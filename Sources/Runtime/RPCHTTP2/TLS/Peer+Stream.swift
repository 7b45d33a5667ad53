import Loop
import RPC
import Synchronization
import TLS

extension Peer {
    /// Who is at the other end of a stream; its certificate appears when the handshake is over.
    convenience init(_ stream: any ByteStream) {
        guard let slot = (stream as? TLSStream)?.certificate else {
            self.init(address: "\(stream.peer)", unixCredentials: stream.unixCredentials())
            return
        }
        self.init(address: "\(stream.peer)", certificate: { slot.value.withLock { $0 } })
    }
}
