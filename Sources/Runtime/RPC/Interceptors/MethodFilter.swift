/// Which methods an interceptor is for.
public enum MethodFilter: Sendable, Hashable {
    /// Every method of the service of this full name.
    case service(String)
    case method(MethodDescriptor)
    /// Every service of the package and of the packages below it.
    case package(String)
    case kind(CallKind)

    public func matches(_ method: MethodDescriptor) -> Bool {
        switch self {
        case .service(let name): method.service == name
        case .method(let wanted): method.path == wanted.path
        case .package(let name): method.service.hasPrefix("\(name).")
        case .kind(let kind): method.kind == kind
        }
    }
}
