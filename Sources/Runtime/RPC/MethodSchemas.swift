package import Protobuf
import Synchronization

/// The schemas of a router's methods, for what needs more than bytes (JSON). Built when somebody
/// asks first.
package final class MethodSchemas: Sendable {
    private let files: [GeneratedFile]
    private let built = Mutex<DescriptorPool?>(nil)

    init(_ files: [GeneratedFile]) {
        self.files = files
    }

    /// All files of the router's services and what they import.
    package var pool: DescriptorPool {
        built.withLock { built in
            if let pool = built { return pool }
            let pool = DescriptorPool(files)
            built = pool
            return pool
        }
    }

    /// Nil when nobody described the method's service.
    package func find(_ method: MethodDescriptor) -> MethodSchema? {
        pool.service(method.service)?.method(named: method.name)
    }
}
