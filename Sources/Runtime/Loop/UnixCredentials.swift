import CUV
import Glibc

/// The process at the other end of a UNIX socket when it connected (SO_PEERCRED, unix(7)).
public struct UnixCredentials: Sendable, Hashable {
    public var processID: Int32
    public var userID: UInt32
    public var groupID: UInt32

    public init(processID: Int32, userID: UInt32, groupID: UInt32) {
        self.processID = processID
        self.userID = userID
        self.groupID = groupID
    }

    init?(_ stream: UnsafeMutablePointer<uv_stream_t>) {
        var descriptor: Int32 = -1
        let handle = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
        guard uv_fileno(handle, &descriptor) == 0 else { return nil }
        // pid, uid, gid of `struct ucred`, which Glibc's module does not show.
        var words: (Int32, UInt32, UInt32) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: words))
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &words, &length) == 0 else {
            return nil
        }
        self.init(processID: words.0, userID: words.1, groupID: words.2)
    }
}
