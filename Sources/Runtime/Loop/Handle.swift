import CUV

/// Closing libuv handles: their memory may be freed only in the close callback.
enum Handle {
    static func isClosing<T>(_ handle: UnsafeMutablePointer<T>) -> Bool {
        uv_is_closing(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
            != 0
    }

    static func close<T>(_ handle: UnsafeMutablePointer<T>) {
        let base = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
        guard uv_is_closing(base) == 0 else { return }
        uv_close(base) { closed in
            // Every handle is allocated by Swift's allocator, which is malloc for these sizes.
            closed.map { UnsafeMutableRawPointer($0).deallocate() }
        }
    }
}
