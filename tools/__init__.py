"""Development tools that are not part of the package: generators and checks of committed files."""
