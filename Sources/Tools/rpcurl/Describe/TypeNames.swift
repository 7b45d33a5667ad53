import Protobuf

/// How a type is named where it is used: without its package if that is understood there.
struct TypeNames {
    private let pool: DescriptorPool
    private let packages: Set<String>

    init(_ pool: DescriptorPool) {
        self.pool = pool
        var packages: Set<String> = []
        for file in pool.files {
            var package = file.package[...]
            while !package.isEmpty {
                packages.insert(String(package))
                package = package.lastIndex(of: ".").map { package[..<$0] } ?? ""
            }
        }
        self.packages = packages
    }

    /// - Parameter name: with its leading dot, as descriptors have it.
    /// - Parameter scope: full name of the message or service around, or the package.
    func text(_ name: String, in scope: String, package: String) -> String {
        guard name.hasPrefix(".") else { return name }
        let fullName = String(name.dropFirst())
        let prefix = "\(package)."
        if !package.isEmpty, fullName.hasPrefix(prefix) {
            let short = String(fullName.dropFirst(prefix.count))
            if resolve(short, in: scope) == fullName { return short }
        }
        return resolve(fullName, in: scope) == fullName ? fullName : name
    }

    /// The name of an option: of an extension `(full.name)`, with a dot before it where something
    /// else would be found.
    func option(_ name: String, in scope: String) -> String {
        guard name.hasPrefix("(") else { return name }
        let fullName = String(name.dropFirst().dropLast())
        let isClear = fullName.contains(".") && resolve(fullName, in: scope) == fullName
        return isClear ? name : "(.\(fullName))"
    }

    /// As protoc looks names up: the innermost scope that has the first part of the name decides.
    private func resolve(_ name: String, in scope: String) -> String? {
        let first = name.prefix { $0 != "." }
        let isSimple = first.count == name.count
        var scope = scope[...]
        while true {
            let prefix = scope.isEmpty ? "" : "\(scope)."
            let found = "\(prefix)\(first)"
            if isSimple ? isType(found) : isType(found) || holdsNames(found) {
                return "\(prefix)\(name)"
            }
            if scope.isEmpty { return nil }
            scope = scope.lastIndex(of: ".").map { scope[..<$0] } ?? ""
        }
    }

    private func isType(_ name: String) -> Bool {
        pool.message(name) != nil || pool.enumeration(name) != nil
    }

    private func holdsNames(_ name: String) -> Bool {
        packages.contains(name) || pool.service(name) != nil
    }
}
