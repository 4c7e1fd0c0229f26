import { Component, type ReactNode } from 'react';
import { ErrorNote } from '../components/ErrorNote';

/** A page that breaks says so in its own place; the frame and the other pages go on. React has no hook for this. */
export class PageGuard extends Component<{ readonly children: ReactNode }, { readonly thrown: unknown }> {
  override state = { thrown: null };

  static getDerivedStateFromError(thrown: unknown) {
    return { thrown };
  }

  override render() {
    if (!this.state.thrown) return this.props.children;
    return <ErrorNote thrown={this.state.thrown} onRetry={() => this.setState({ thrown: null })} />;
  }
}
